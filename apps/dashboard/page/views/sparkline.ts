import { svgElement } from '../dom.js';
import { largest, smallest } from '#math/extremes.js';

const width = 120;
const height = 28;
const margin = 2;

/** A small picture of a series; what is not finite breaks the line. */
export function sparkline(values: readonly number[]): SVGElement {
  const finite = values.filter(Number.isFinite);
  const low = smallest(finite);
  const high = largest(finite);
  const picture = svgElement('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, width, height, 'aria-hidden': 'true' });
  if (finite.length < 2) return picture;
  let path = '';
  let open = false;
  values.forEach((value, i) => {
    if (!Number.isFinite(value)) {
      open = false;
      return;
    }
    const x = margin + (i / (values.length - 1)) * (width - 2 * margin);
    const y = margin + (1 - (value - low) / (high - low || 1)) * (height - 2 * margin);
    path += `${open ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    open = true;
  });
  picture.append(svgElement('path', { d: path }));
  return picture;
}
