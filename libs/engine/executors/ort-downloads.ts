import type * as Ort from 'onnxruntime-node';
import { exportOnnx, type Graph } from '#graph/index.js';
import { freeDim } from '#graph/shapes.js';

export interface Downloads {
  toHost(tensor: Ort.Tensor): Promise<Ort.Tensor>;
  close(): Promise<void>;
}

/** Gives back what it is fed; each axis is free on its own. */
function copyGraph(rank: number): Graph {
  const shape = Array.from({ length: rank }, (_, axis) => freeDim(axis + 1));
  const type = { dtype: 'float32', shape } as const;
  return {
    inputs: [{ name: 'x', role: 'data', ...type }],
    constants: [],
    nodes: [],
    outputs: [{ name: 'y', value: 'x', ...type }],
  };
}

/**
 * Brings tensors from the device to the host with a session that copies: `Tensor.getData` of a tensor on a device ends the
 * process in onnxruntime-node 1.30 (an exception of its C++ that nothing catches).
 */
export function createDownloads(ort: typeof Ort, options: Ort.InferenceSession.SessionOptions): Downloads {
  const sessions = new Map<number, Promise<Ort.InferenceSession>>();
  return {
    toHost: async (tensor) => {
      const rank = tensor.dims.length;
      const session = sessions.get(rank) ?? ort.InferenceSession.create(exportOnnx(copyGraph(rank)), options);
      sessions.set(rank, session);
      const { y } = await (await session).run({ x: tensor });
      return y!;
    },
    close: async () => {
      const open = [...sessions.values()];
      sessions.clear();
      for (const session of open) await (await session).release();
    },
  };
}
