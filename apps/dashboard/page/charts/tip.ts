import type { FindingBody } from '#dashboard/events/http.js';
import { fill, h } from '../dom.js';
import type { Palette } from '../theme.js';
import { findingColour } from './marks.js';

const gap = 14;
let tip: HTMLElement | undefined;

/** The sentences of the findings under the pointer. */
export function showTip(x: number, y: number, findings: readonly FindingBody[], palette: Palette): void {
  if (tip === undefined) document.body.append((tip = h('div', { class: 'tip', role: 'status' })));
  fill(
    tip,
    findings.map((finding) => {
      const dot = h('i', { class: 'dot' });
      dot.style.setProperty('--colour', findingColour(finding, palette));
      return h('p', {}, dot, finding.text);
    }),
  );
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, x + gap))}px`;
  tip.style.top = `${y + gap + height > innerHeight ? y - gap - height : y + gap}px`;
}

export function hideTip(): void {
  if (tip !== undefined) tip.hidden = true;
}
