/** Every kind of finding that this service makes (`docs/vocabulary.md`); a test holds it against the detectors. */
export const findingKinds = [
  'stage',
  'early_phase',
  'edge_crossed',
  'divergence_risk',
  'recovered',
  'failed',
  'lost',
  'resumed',
  'gap',
  'dead_letter',
] as const;
