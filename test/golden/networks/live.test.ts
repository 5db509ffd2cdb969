import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findPython } from '../../support/needs.js';
import { readGolden, toleranceOf, trainingGraph } from './golden.js';
import { errorsInReference } from './in-reference.js';

const python = findPython('networks exported by the PyTorch of the system', ['torch', 'onnx', 'numpy']);
const names = ['mlp', 'lenet', 'vgg-norm-train', 'mobilenet-train', 'gated-train', 'convnext', 'vit', 'gpt', 'lstm', 'gru', 'rnn', 'norms'];

describe.skipIf(python === undefined)('exported here and now, by the PyTorch of the system', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stagewatch-networks-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('agrees with its own double backward', () => {
    const script = join(import.meta.dirname, 'make.py');
    execFileSync(python ?? '', [script, '--into', folder, '--exporter', 'old', ...names], {
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    for (const name of names) {
      const golden = readGolden(name, folder);
      const errors = errorsInReference(trainingGraph(name, 'old', golden, folder), golden);
      for (const error of Object.values(errors)) {
        expect(error, `${name} ${JSON.stringify(errors)}`).toBeLessThan(toleranceOf(name, 'old'));
      }
    }
  });
});
