import type { MeasuringBody } from '#bus/messages.js';

/** `measuring step 40, 3 waiting`; empty when nothing is measured and nothing waits. */
export function measuringText({ underWay, waiting }: MeasuringBody): string {
  const now = underWay === null ? '' : `measuring step ${underWay}`;
  return [now, waiting === 0 ? '' : `${waiting} waiting`].filter((part) => part !== '').join(', ');
}
