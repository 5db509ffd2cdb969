/** The constants of the stage tagger (`docs/vocabulary.md` names the stages). x = ln S, r = S/Θ. */
export const rules = {
  /** The early phase: its steps, and the measurements that a settled window needs. */
  earlySteps: 10,
  /** The start itself: a job may count its steps from 1. */
  startSteps: 1,
  /** A batch's loss rose when it did by so many standard errors. */
  earlyErrors: 3,
  settleMeasurements: 5,
  settleRange: 0.1,
  settleNoise: 5,
  /** In a rising window x may fall by so much from one measurement to the next. */
  risingSlack: 0.005,
  /** A transient that neither settles nor rises ends after so much natural time. */
  capNaturalTime: 200,
  capSteps: 50,
  /** A rise of x counts from max(`riseLeast`, `riseNoise`·σ). */
  riseLeast: 0.05,
  riseNoise: 4,
  /** A fall of x that ends sharpening. */
  fall: 0.22,
  /** In mini-batch training a decline, or the end of one, lasts for such a part of the steps so far. */
  swingShare: 0.2,
  confirmations: 2,
  /** At the edge: r ≥ `edgeIn` in `edgeInCount` of the last `edgeInWindow` measurements. */
  edgeIn: 0.95,
  edgeInCount: 3,
  edgeInWindow: 4,
  /** Away from it: the median of the last `edgeOutWindow` below `edgeOut`, `edgeOutCount` times in a row. */
  edgeOut: 0.75,
  edgeOutWindow: 5,
  edgeOutLeast: 3,
  edgeOutCount: 3,
  /** Sharpening has stalled without such a gain for so many measurements and such a part of the elapsed steps. */
  stallGain: 0.02,
  stallMeasurements: 10,
  stallFraction: 0.5,
  /** A jump of ln(learning rate) after so many constant observations restarts the clock. */
  rateJump: 0.2,
  rateConstant: 1e-9,
  rateHold: 5,
  /** Diverged: L > factor · max(1, L₀). */
  divergedFactor: 1e5,
  /** Recovered from it: so many losses in a row at L ≤ factor · max(1, L₀). */
  healthyFactor: 10,
  healthyCount: 20,
  /** Windows. */
  noiseWindow: 12,
  noiseLeast: 6,
  /** The median filter takes 3 and 5 values from these noise levels on. */
  filterNoise: [0.015, 0.04],
  /** Batch sharpness: weight of a new value, and the share of 2/η at which mini-batch training sits. */
  batchWeight: 0.2,
  batchEdge: 0.85,
  /** One that is older than this part of the training so far says nothing of now. */
  batchAge: 0.5,
  /** The early phase was a reduction when S fell below this part of its start. */
  reduction: 0.9,
} as const;
