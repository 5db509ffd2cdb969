import type { AlertRuleBody } from '#dashboard/events/alerts.js';
import { h } from '../dom.js';

/** A new rule; `create` answers whether it was taken, and then the form is empty again. */
export function ruleForm(create: (rule: Partial<AlertRuleBody>) => Promise<boolean>): HTMLElement {
  const name = h('input', { required: true, maxlength: 200, placeholder: 'Divergence to the team' });
  const url = h('input', { type: 'url', required: true, placeholder: 'https://…' });
  const kinds = h('input', { placeholder: 'all: stage, divergence_risk…' });
  const runs = h('input', { placeholder: '*' });
  const severity = h(
    'select',
    {},
    ['info', 'warning', 'critical'].map((value) => h('option', { value, selected: value === 'warning' }, value)),
  );
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const taken = await create({
      name: name.value.trim(),
      url: url.value.trim(),
      kinds: kinds.value.split(/[\s,]+/).filter((kind) => kind !== ''),
      runFilter: runs.value.trim() || '*',
      minSeverity: severity.value as AlertRuleBody['minSeverity'],
    });
    if (taken) form.reset();
  };
  return h(
    'form',
    { class: 'rule-form', onsubmit: (event: SubmitEvent) => void submit(event) },
    h('label', {}, 'Name', name),
    h('label', {}, 'Webhook', url),
    h('label', {}, 'Kinds', kinds),
    h('label', {}, 'Runs (glob)', runs),
    h('label', {}, 'From severity', severity),
    h('button', { class: 'tool primary' }, 'Add rule'),
  );
}
