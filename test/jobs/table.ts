// What is true of each job, as somebody who knows the job would say it, and not as the service says it today. One table, and
// long for that reason.
import type { JobCase, RunTruth } from './job-case.js';

/** What every network that can be measured has. */
const curvature = ['loss.probe', 'gradient.norm', 'sharpness'] as const;
/** With an optimizer whose threshold is compared with λ1 itself. */
const plain: RunTruth = { on: [...curvature, 'sharpness.threshold', 'edge.ratio'] };
/** With one that divides by its own state: never compared with λ1 of the plain Hessian. */
const adaptive: RunTruth = { on: curvature, onOr: { 'edge.ratio': /precondition/ } };
const words = (text: string): readonly string[] => text.split(' ').filter((word) => word !== '');

/** Of 1500 examples. With mini-batches the sharpness may decline from the fourth epoch on; with the full batch it is no noise. */
const declinesFrom = (args: string): number =>
  3 * Math.ceil(1500 / Number(/--batch (\d+)/.exec(args)?.[1] ?? Number.POSITIVE_INFINITY));
const digits = (name: string, args: string, truth: RunTruth, more: Partial<JobCase> = {}): JobCase => ({
  name,
  script: 'digits.py',
  args: words(args),
  runs: [{ declinesFrom: declinesFrom(args), ...truth }],
  ...more,
});
const images = (name: string, args: string, truth: RunTruth = adaptive, more: Partial<JobCase> = {}): JobCase => ({
  name,
  script: 'images.py',
  args: words(args),
  runs: [truth],
  ...more,
});
const sequences = (name: string, args: string, truth: RunTruth = adaptive, more: Partial<JobCase> = {}): JobCase => ({
  name,
  script: 'sequences.py',
  args: words(args),
  runs: [truth],
  ...more,
});
const huggingFace = (name: string, args: string, truth: RunTruth): JobCase => ({
  name,
  script: 'hugging_face.py',
  args: words(args),
  torch: 'pypi',
  runs: [truth],
});
const endings = (name: string, args: string, more: Partial<JobCase>): JobCase => ({
  name,
  script: 'endings.py',
  args: words(args),
  ...more,
});

const optimizers: readonly JobCase[] = [
  digits('SGD, full batch', '--lr 0.1', { ...plain, threshold: 2 / 0.1 }, { short: true }),
  digits('SGD with momentum, full batch', '--lr 0.05 --momentum 0.9', { ...plain, threshold: 3.8 / 0.05 }),
  digits('Nesterov, full batch', '--lr 0.05 --momentum 0.9 --nesterov', { ...plain, threshold: 3.8 / (0.05 * 2.8) }),
  digits('SGD, mini-batches', '--lr 0.1 --batch 32 --epochs 20', { ...plain, batchSize: 32 }, { short: true }),
  digits('momentum, mini-batches', '--lr 0.02 --momentum 0.9 --batch 32 --epochs 20', plain),
  digits('Nesterov, mini-batches', '--lr 0.02 --momentum 0.9 --nesterov --batch 32 --epochs 20', plain),
  digits('AdamW, mini-batches', '--optimizer AdamW --lr 1e-3 --batch 32 --epochs 20', adaptive, { short: true }),
  digits('Adam, mini-batches', '--optimizer Adam --lr 1e-3 --batch 64 --epochs 20', adaptive),
  digits('Adam, full batch', '--optimizer Adam --lr 1e-3', adaptive),
  digits('RMSprop, mini-batches', '--optimizer RMSprop --lr 5e-4 --batch 32 --epochs 15', adaptive),
  digits('NAdam, mini-batches', '--optimizer NAdam --lr 1e-3 --batch 32 --epochs 15', adaptive),
  digits('SGD with weight decay, small batches', '--lr 0.05 --weight-decay 1e-4 --batch 8 --epochs 5', plain),
  digits('two groups: no decay on biases', '--lr 0.1 --groups decay --batch 32 --epochs 10', { ...plain, threshold: 2 / 0.1 }),
  // Through P: λ1(P⁻¹H) against its threshold, never 2/η of one group against a plain λ1.
  digits('two groups with rates of their own', '--lr 0.1 --groups rates --batch 32 --epochs 10', {
    on: curvature,
    onOr: { 'edge.ratio': /group|rates|precondition/ },
  }),
];

const schedules: readonly JobCase[] = [
  digits('cosine schedule', '--lr 0.2 --batch 32 --epochs 15 --schedule cosine', plain),
  digits('steps of the rate', '--lr 0.2 --batch 32 --epochs 15 --schedule step', plain),
  digits('warm-up', '--optimizer AdamW --lr 2e-3 --batch 32 --epochs 10 --schedule warmup', adaptive),
  digits('OneCycle', '--lr 0.3 --momentum 0.9 --batch 32 --epochs 10 --schedule onecycle', plain),
  digits('full batch with warm-up', '--lr 0.3 --schedule warmup --epochs 250', plain),
  digits(
    'drop of the rate at the edge',
    '--lr 1.5 --loss mse --scale-init 1.6 --width 100 --epochs 400 --schedule drop --drop-at 250',
    { ...plain, found: [/^stage edge/], notFound: [/post_eos/, /^loss_spike/] },
  ),
];

const loops: readonly JobCase[] = [
  digits('DataLoader with workers', '--lr 0.1 --batch 64 --epochs 4 --workers 2', plain),
  digits('train= is a DataLoader', '--lr 0.1 --batch 64 --epochs 10 --train loader', plain),
  digits('train= is a Dataset', '--lr 0.1 --batch 64 --epochs 10 --train dataset', plain),
  digits('gradient clipping that bites', '--lr 0.5 --batch 32 --epochs 10 --clip 0.1', {
    on: curvature,
    onOr: { 'edge.ratio': /clip/, 'sharpness.threshold': /clip/ },
    said: /clip/,
  }),
  digits('gradient accumulation, a report an update', '--lr 0.1 --batch 16 --accumulate 4 --epochs 8', plain),
  digits('gradient accumulation, a report a micro-batch', '--lr 0.1 --batch 16 --accumulate 4 --epochs 8 --report micro', {
    ...plain,
    leftOut: { names: /^loss\.train$/, said: /reports?\b/ },
    mayFind: [/^gap .*(report|micro)/],
  }),
  digits('autocast to bfloat16', '--lr 0.1 --batch 32 --epochs 8 --autocast', plain),
  digits('exponential moving average beside', '--lr 0.1 --batch 32 --epochs 8 --ema', plain),
  {
    name: 'scaler, first update skipped',
    script: 'scaler.py',
    runs: [
      {
        ...plain,
        compared: { 'loss.train': 79 },
        leftOut: { names: /^loss\.train$/, said: /skipped/ },
        mayFind: [/^gap .*skip/],
      },
    ],
  },
  {
    name: 'scaler, updates skipped now and then',
    script: 'scaler.py',
    args: words('--skip 0 1 20 50'),
    runs: [
      {
        ...plain,
        compared: { 'loss.train': 76 },
        leftOut: { names: /^loss\.train$/, said: /skipped/ },
        mayFind: [/^gap .*skip/],
      },
    ],
  },
];

const losses: readonly JobCase[] = [
  digits('class weights', '--lr 0.1 --batch 32 --epochs 8 --loss weighted', { onOr: { sharpness: /weight/ } }),
  digits('label smoothing', '--lr 0.1 --batch 32 --epochs 8 --loss smoothed', plain),
  digits('binary cross-entropy', '--lr 0.3 --batch 32 --epochs 8 --loss bce', plain),
  digits('binary cross-entropy, full batch', '--lr 1.0 --loss bce', plain),
  digits('mean squared error', '--lr 0.3 --batch 32 --epochs 8 --loss mse', plain),
  digits('Huber', '--lr 0.3 --batch 32 --epochs 8 --loss huber', plain),
  digits('loss as a function', '--lr 0.1 --batch 32 --epochs 8 --loss function', { onOr: { sharpness: /function|loss/ } }),
  digits('a loss of one’s own', '--lr 0.1 --batch 32 --epochs 8 --loss own', { onOr: { sharpness: /loss/ } }),
  digits('no loss given', '--lr 0.1 --batch 32 --epochs 5 --attach-loss none', { off: { sharpness: /loss/ } }),
];

const networks: readonly JobCase[] = [
  images('small CNN with batch norm', '', adaptive, { short: true }),
  images('small CNN with group norm', '--model groupnorm'),
  images('small ResNet, SGD', '--model resnet --optimizer SGD --lr 0.05', plain),
  images('uint8 images, preprocessing in the model', '--uint8'),
  images('timm ViT', '--model timm:vit_tiny_patch16_224 --size 32 --examples 32 --batch 16 --epochs 3', adaptive, {
    torch: 'pypi',
  }),
  images('timm resnet10t', '--model timm:resnet10t --size 32 --examples 32 --batch 16 --epochs 3', adaptive, { torch: 'pypi' }),
  images('torchvision ViT', '--model torchvision:vit', adaptive, { torch: 'pypi' }),
  images(
    'torchvision MobileNet-V3',
    '--model torchvision:mobilenet_v3_small --size 32 --examples 32 --batch 16 --epochs 3',
    adaptive,
    { torch: 'pypi' },
  ),
  images('torchvision ResNet-18', '--model torchvision:resnet18 --size 32 --examples 32 --batch 16 --epochs 2', adaptive, {
    torch: 'pypi',
  }),
  sequences('nn.TransformerEncoderLayer', '', adaptive, { short: true }),
  sequences('LSTM', '--model lstm'),
  sequences('embedding with padding', '--model padded'),
  sequences('small GPT', '--model gpt'),
  sequences('small vision transformer', '--model vit'),
  sequences('small GPT with SGD', '--model gpt --optimizer SGD --lr 0.3', plain),
  huggingFace('BERT by hand', '--loop hand', { ...adaptive, compared: { 'loss.probe': 1 } }),
  huggingFace('BERT with Accelerate', '--loop accelerate', adaptive),
  huggingFace('BERT with the Trainer', '--loop trainer', adaptive),
  huggingFace('GPT-2 by hand, shifted inside', '--loop hand --task causal', {
    onOr: { sharpness: /loss|shift/ },
    compared: { 'loss.probe': 0 },
  }),
  huggingFace('GPT-2 with the Trainer', '--loop trainer --task causal', {
    onOr: { sharpness: /loss|shift/ },
    compared: { 'loss.probe': 0 },
  }),
  { name: 'dictionaries as batches', script: 'several_inputs.py', args: words('--batches dictionary'), runs: [plain] },
  {
    name: 'tuples of inputs, train= a DataLoader',
    script: 'several_inputs.py',
    args: words('--batches tuple --train loader'),
    runs: [plain],
  },
];

/** λ1 in float64 stands beside snapshots. */
const measured: readonly JobCase[] = [
  digits(
    'to the edge, squared error',
    '--lr 1.5 --loss mse --scale-init 1.6 --width 100 --epochs 200 --pause 0.03 --check',
    { ...plain, found: [/^stage edge/], endsIn: /^edge$/, compared: { sharpness: 8 } },
    { short: true },
  ),
  digits(
    'to the edge with momentum',
    '--lr 0.5 --momentum 0.9 --loss mse --scale-init 1.6 --width 100 --epochs 300 --pause 0.03 --check',
    {
      ...plain,
      compared: { sharpness: 8 },
    },
  ),
  digits('cross-entropy beyond the edge', '--lr 1.0 --width 100 --epochs 250 --pause 0.03 --check', {
    ...plain,
    compared: { sharpness: 8 },
  }),
  images('batch norm, full batch', '--batch 0 --optimizer SGD --lr 0.1 --epochs 60 --check', {
    ...plain,
    compared: { sharpness: 10 },
  }),
  { name: 'frozen body', script: 'freezing.py', runs: [{ ...plain, compared: { sharpness: 10 } }] },
  {
    name: 'unfrozen in mid-run',
    script: 'freezing.py',
    args: words('--how unfreeze'),
    runs: [{ on: curvature, compared: { sharpness: 10 } }],
  },
  {
    name: 'an optimizer that has the head only',
    script: 'freezing.py',
    args: words('--how head-only'),
    runs: [{ ...plain, compared: { sharpness: 10 } }],
  },
  {
    name: 'a group that is added later',
    script: 'freezing.py',
    args: words('--how group-later'),
    runs: [{ on: curvature, compared: { sharpness: 10 } }],
  },
];

const lengths: readonly JobCase[] = [
  digits('a job of one second', '--lr 0.05 --batch 32 --seconds 1', {}, { short: true }),
  digits('a job of five seconds', '--lr 0.05 --batch 32 --seconds 5 --pause 0.01', plain),
  // README's own example, at full speed; it says nothing of how many examples an update takes.
  { name: '3000 steps in ten seconds', script: 'examples/pytorch_digits.py', args: words('--steps 3000'), runs: [plain] },
  digits('2500 names', '--lr 0.05 --batch 64 --epochs 1 --names 2500', {
    leftOut: { names: /^layer\./, said: /2000|names/ },
    mayFind: [/^gap .*name/],
  }),
  digits('attached after a thousand steps', '--lr 0.05 --batch 32 --epochs 30 --attach-after 1000', plain),
  digits('never finished by the script', '--lr 0.1 --no-finish', plain),
  digits('NaN for a while, then recovered', '--lr 0.1 --epochs 400 --nan-from 100 --nan-until 140', {
    found: [/^(stage diverged|divergence_risk)/],
    mayFind: [/^stage diverged/, /^divergence_risk/],
    endsIn: /^(?!diverged)/,
  }),
  digits('NaN to the end', '--lr 0.1 --epochs 300 --nan-from 150 --nan-until 100000', {
    found: [/^stage diverged/],
    mayFind: [/^divergence_risk/],
    endsIn: /^diverged$/,
  }),
];

const endingsOfJobs: readonly JobCase[] = [
  endings('an exception at the top', '--how raise', {
    exit: 1,
    runs: [{ status: 'failed', message: /CUDA out of memory at step 100/, found: [/^failed /] }],
    short: true,
  }),
  endings('an exception caught outside the function', '--how caught', {
    runs: [{ status: 'failed', message: /CUDA out of memory at step 100/, found: [/^failed /] }],
  }),
  endings('one of a sweep fails', '--how sweep', {
    runs: [{}, { status: 'failed', message: /CUDA out of memory at step 60/, found: [/^failed /] }, {}],
  }),
  endings('two runs in one process', '--how two-runs', { runs: [{}, {}] }),
  endings('SIGTERM', '--how wait', {
    exit: 'SIGTERM',
    signal: { afterReports: 200, signal: 'SIGTERM' },
    // What the scheduler ended is no error of the job's own.
    runs: [{ status: 'failed', message: /SIGTERM/, found: [/^failed /] }],
  }),
  endings('SIGKILL', '--how wait', {
    exit: 'SIGKILL',
    signal: { afterReports: 400, signal: 'SIGKILL' },
    runs: [{ status: 'lost', found: [/^lost /], leftOut: { names: /./, said: /^lost / } }],
  }),
  endings('Ctrl-C', '--how wait', {
    exit: 'SIGINT',
    signal: { afterReports: 200, signal: 'SIGINT' },
    runs: [{ status: 'interrupted' }],
  }),
  endings('sys.exit(1)', '--how exit-1', { exit: 1, runs: [{ status: 'failed', found: [/^failed /] }] }),
  { name: 'resumed from a checkpoint', script: 'resume.py', runs: [{ ...plain, mayFind: [/^resumed /] }] },
  {
    name: 'a numpy loop without PyTorch',
    script: 'numpy_loop.py',
    runs: [{ off: { sharpness: /graph|model|network|onnx|snapshot/ } }],
  },
  {
    name: 'a notebook, a cell failed before',
    script: 'notebook.py',
    args: words('--fails before'),
    torch: 'pypi',
    runs: [plain],
  },
  {
    name: 'a notebook, the training cell fails',
    script: 'notebook.py',
    args: words('--fails training'),
    torch: 'pypi',
    runs: [{ status: 'failed', message: /a typo in the cell/, found: [/^failed /] }],
  },
  digits(
    'the service is away at the start',
    '--lr 0.1 --batch 32 --epochs 10 --pause 0.02',
    {},
    { service: 'away at the start' },
  ),
  digits(
    'the service is away at the end',
    '--lr 0.1 --batch 32 --epochs 10 --pause 0.01',
    { mayFind: [/^lost /] },
    { service: 'away at the end' },
  ),
  digits('the service is away', '--lr 0.1 --batch 32 --epochs 4', {}, { service: 'away' }),
];

export const jobs: readonly JobCase[] = [
  ...optimizers,
  ...schedules,
  ...loops,
  ...losses,
  ...networks,
  ...measured,
  ...lengths,
  ...endingsOfJobs,
];
