/** As people read them (docs/vocabulary.md). */
const stageNames: Readonly<Record<string, string>> = {
  unknown: 'Unknown',
  transient: 'Transient',
  saturation: 'Saturation',
  sharpening: 'Progressive sharpening',
  edge: 'Edge of stability',
  late_decline: 'Late decline',
  diverged: 'Diverged',
};

export function stageName(stage: string): string {
  return stageNames[stage] ?? stage;
}
