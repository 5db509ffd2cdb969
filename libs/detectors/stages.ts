/** What a run can be doing, in the words of `docs/vocabulary.md`. */
export const stageNames = ['unknown', 'transient', 'saturation', 'sharpening', 'edge', 'late_decline', 'diverged'] as const;

export type StageName = (typeof stageNames)[number];
