/** The one database of the house. */
export const database = 'stagewatch';
