import { createHash } from 'node:crypto';
import type { Blobs } from '#blobs/blobs.js';
import { artifactsOf, type ArtifactReferences } from '#bus/artifact-references.js';
import type { Bus } from '#bus/bus.js';
import { sha256Pattern } from '#wire/checksum.js';
import { codec, type Input } from '#wire/codec.js';
import { encodeEnvelope } from '#wire/envelope.js';
import type { DescribeModelRequest, DescribeModelResponse, ModelDescription } from '#wire/generated/messages.js';
import { checkName, checkText, refuse, textLimits } from './checks.js';
import type { GraphLooker } from './graph-look/graph-looker.js';
import type { Place } from './identity.js';
import type { ModelFiles } from './graph-look/messages.js';
import type { RunGuard } from './run-guard.js';
import type { RunRegistry } from './run-registry.js';
import { artifactName } from './upload-names.js';

/** A larger graph file is not looked at. */
const maxGraphBytes = 512 * 1024 * 1024;
/** A sentence or two. */
const maxReasonBytes = 1000;

export interface ModelDoorParts {
  readonly registry: RunRegistry;
  readonly bus: Bus;
  readonly blobs: Blobs;
  readonly guard: RunGuard;
  readonly references: ArtifactReferences;
  readonly looker: GraphLooker;
}

/** Takes the description of a network, after looking at it as closely as the analyzer will. */
export class ModelDoor {
  constructor(private readonly parts: ModelDoorParts) {}

  async describe(request: DescribeModelRequest): Promise<Input<DescribeModelResponse>> {
    const leave = this.parts.guard.enter(request.runId);
    try {
      return await this.describeInside(request);
    } finally {
      leave();
    }
  }

  private async describeInside(request: DescribeModelRequest): Promise<Input<DescribeModelResponse>> {
    const { registry, looker, references } = this.parts;
    const identity = await registry.authorizeInstance(request);
    const { model } = request;
    if (model === null) refuse('INVALID_ARGUMENT', 'the description is missing', { field: 'model' });
    if (model.unmeasured !== '') return this.unmeasured(identity.place, model.unmeasured);
    checkDescription(model);
    // Before looking whether they are there: a refused model's artifacts go with the run too.
    await references.add(identity.place.runId, artifactsOf(model));
    const missingDigests = await this.missing(model);
    if (missingDigests.length > 0) return { missingDigests };
    const { runId } = identity.place;
    const checked = await looker.look(model, await registry.lossOf(runId), await this.files(model));
    await this.publish(identity.place, model);
    return checked;
  }

  /** The job says why there is no network: the reason is all that is kept. */
  private async unmeasured(place: Place, reason: string): Promise<Input<DescribeModelResponse>> {
    checkText(reason, 'model.unmeasured', maxReasonBytes);
    await this.publish(place, codec('ModelDescription').decode(codec('ModelDescription').encode({ unmeasured: reason })));
    return {};
  }

  private async publish(place: Place, model: ModelDescription): Promise<void> {
    const digest = createHash('sha256').update(codec('ModelDescription').encode(model)).digest('hex');
    const body = encodeEnvelope({ ...place, receivedTimeMs: Date.now(), model });
    await this.parts.bus.publish('records', [{ subject: place.runId, id: `model.${place.attempt}.${digest}`, body }]);
  }

  private async missing(model: ModelDescription): Promise<string[]> {
    const missing = [];
    for (const digest of artifactsOf(model)) {
      if ((await this.parts.blobs.stat(artifactName(digest))) === undefined) missing.push(digest);
    }
    return missing;
  }

  private async files({ graphDigest, train, val }: ModelDescription): Promise<ModelFiles> {
    const { blobs } = this.parts;
    const bytes = (await blobs.stat(artifactName(graphDigest)))?.bytes ?? 0;
    if (bytes > maxGraphBytes) {
      refuse('UNSUPPORTED_MODEL', 'the model file is too large', {
        field: 'model.graph_digest',
        value: `${bytes} bytes`,
        expected: `at most ${maxGraphBytes}; export it without its weights`,
      });
    }
    const file = (digest: string): string => pathOf(blobs, artifactName(digest));
    return {
      graph: file(graphDigest),
      train: file(train!.digest),
      val: hasSet(val) ? file(val!.digest) : undefined,
    };
  }
}

function pathOf(blobs: Blobs, name: string): string {
  const path = blobs.path(name);
  if (path === undefined) throw new Error(`the blob ${name} is no file of this machine, and models are read from files`);
  return path;
}

const hasSet = (set: { readonly digest: string } | null): boolean => set !== null && set.digest !== '';

function checkDescription(model: ModelDescription): void {
  checkDigest(model.graphDigest, 'model.graph_digest');
  checkDigest(model.train?.digest ?? '', 'model.train.digest');
  if (hasSet(model.val)) checkDigest(model.val!.digest, 'model.val.digest');
  if (model.parameters.length > textLimits.tensors) {
    refuse('INVALID_ARGUMENT', 'too many parameters', {
      field: 'model.parameters',
      value: String(model.parameters.length),
      expected: `at most ${textLimits.tensors}`,
    });
  }
  for (const [i, name] of model.parameters.entries()) checkName(name, `model.parameters[${i}]`);
  for (const [field, set] of [['train', model.train] as const, ['val', model.val] as const]) {
    const classNames = set?.classNames ?? [];
    if (classNames.length > textLimits.classNames) {
      refuse('INVALID_ARGUMENT', 'too many class names', {
        field: `model.${field}.class_names`,
        value: String(classNames.length),
        expected: `at most ${textLimits.classNames}`,
      });
    }
    for (const [i, name] of classNames.entries()) checkText(name, `model.${field}.class_names[${i}]`);
  }
}

function checkDigest(digest: string, field: string): void {
  if (sha256Pattern.test(digest)) return;
  refuse('INVALID_ARGUMENT', 'this is no digest', { field, value: digest, expected: 'a SHA-256 in 64 lower-case hex digits' });
}
