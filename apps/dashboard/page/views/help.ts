import { h } from '../dom.js';

const keys: readonly (readonly [string, string])[] = [
  ['↑ ↓', 'through the list of runs'],
  ['Enter', 'open the run'],
  ['/', 'filter'],
  ['Tab', 'from chart to chart'],
  ['← →', 'move the cursor in the chart, with Shift by ten points'],
  ['+ −', 'come closer, go back'],
  ['L', 'logarithmic scale: of the chart in focus, or of all'],
  ['X', 'logarithmic steps: room for what happens early'],
  ['R', 'show all steps again'],
  ['N P', 'next and previous finding'],
  ['T', 'dark or light'],
  ['Esc', 'back'],
  ['?', 'this list'],
];

/** The keys, as a dialog. */
export function openHelp(): void {
  const dialog = h(
    'dialog',
    { class: 'help', 'aria-labelledby': 'help-head' },
    h('h2', { id: 'help-head' }, 'Keys'),
    h(
      'dl',
      {},
      keys.map(([key, what]) =>
        h(
          'div',
          {},
          h(
            'dt',
            {},
            key.split(' ').map((one) => h('kbd', {}, one)),
          ),
          h('dd', {}, what),
        ),
      ),
    ),
    h('p', { class: 'muted' }, 'Drag in a chart to come closer; a double click shows all steps again.'),
    h('form', { method: 'dialog' }, h('button', { class: 'tool' }, 'Close')),
  );
  dialog.addEventListener('close', () => dialog.remove());
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}
