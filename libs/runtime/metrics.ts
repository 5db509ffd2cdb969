import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export { Registry } from 'prom-client';

/**
 * The series that the service publishes about itself. One instance a process, handed to whoever counts.
 * Labels stay few: never a run.
 */
export class Metrics {
  readonly registry = new Registry();

  readonly received = this.counter('stagewatch_records_received_total', 'Records read from probes.');
  readonly durable = this.counter('stagewatch_records_durable_total', 'Records that reached durable storage.');
  readonly acknowledged = this.counter('stagewatch_records_acknowledged_total', 'Records acknowledged to probes.');
  readonly duplicate = this.counter('stagewatch_records_duplicate_total', 'Records that had been stored before.');
  readonly rejected = this.counter('stagewatch_records_rejected_total', 'Records refused, by error code.', ['code']);
  readonly gapRecords = this.counter('stagewatch_gap_records_total', 'Sequence numbers that probes said they left out.');
  readonly blobBytes = this.counter('stagewatch_blob_bytes_total', 'Blob bytes made durable.');
  readonly streams = this.gauge('stagewatch_streams', 'Open record streams.');
  readonly queueDepth = this.gauge('stagewatch_queue_depth', 'Messages that wait on the bus.', ['stream', 'group']);
  readonly queueAgeSeconds = this.gauge('stagewatch_queue_age_seconds', 'Age of the oldest message that waits.', [
    'stream',
    'group',
  ]);
  readonly deadLetters = this.counter('stagewatch_dead_letters_total', 'Messages set aside with a reason.', ['stream', 'group']);
  readonly deadLettersHeld = this.gauge('stagewatch_dead_letters', 'Messages that are set aside now.', ['stream', 'group']);
  readonly deadLettersDropped = this.counter(
    'stagewatch_dead_letters_dropped_total',
    'Dead letters that were removed, the oldest first, because all together had grown too large.',
  );
  readonly batchRows = this.histogram(
    'stagewatch_store_batch_rows',
    'Rows in one insert.',
    [1, 10, 100, 1e3, 1e4, 1e5],
    ['table'],
  );
  readonly insertSeconds = this.histogram(
    'stagewatch_store_insert_seconds',
    'Duration of one insert.',
    [0.001, 0.01, 0.1, 1, 10],
    ['table'],
  );
  readonly insertRetries = this.counter('stagewatch_store_insert_retries_total', 'Inserts that were tried again.', ['table']);
  readonly engineRestarts = this.counter(
    'stagewatch_store_engine_restarts_total',
    'Times that the process of the embedded ClickHouse was started again after it had ended.',
  );
  readonly freshnessSeconds = this.histogram(
    'stagewatch_freshness_seconds',
    'From the arrival of a record to its rows in ClickHouse.',
    [0.05, 0.1, 0.25, 0.5, 1, 3, 10, 60],
  );
  readonly measurementSeconds = this.histogram(
    'stagewatch_measurement_seconds',
    'Duration of one measurement.',
    [0.01, 0.1, 1, 10, 60],
  );
  readonly snapshotsLeftOut = this.counter(
    'stagewatch_snapshots_left_out_total',
    'Snapshots that were not measured because newer ones waited.',
  );
  readonly analyzerJobAgeSeconds = this.gauge(
    'stagewatch_analyzer_job_age_seconds',
    'Age of the measurement under way; 0 when idle.',
  );
  readonly graphLooks = this.counter('stagewatch_graph_looks_total', 'Models of strangers that were looked at.', ['outcome']);
  readonly graphLookSeconds = this.histogram(
    'stagewatch_graph_look_seconds',
    'Duration of one look at a model, without the time in line.',
    [0.01, 0.1, 0.3, 1, 3, 10, 30],
  );
  readonly measurementsUnderWay = this.gauge('stagewatch_measurements_under_way', 'Snapshots that are being measured.');
  readonly measuringProcessStarts = this.counter('stagewatch_measuring_process_starts_total', 'Measuring processes started.');
  readonly measuringProcessEnds = this.counter(
    'stagewatch_measuring_process_ends_total',
    'Measuring processes ended: memory, deadline, crash, stopped (nobody waited any more), chosen (an executor), idle, closed.',
    ['reason'],
  );
  readonly measuringResidentBytes = this.gauge(
    'stagewatch_measuring_resident_bytes',
    'Memory of the measuring processes together.',
  );
  readonly findings = this.counter('stagewatch_findings_total', 'Findings, by kind.', ['kind']);
  readonly httpConnections = this.gauge('stagewatch_http_connections', 'Open connections.', ['door']);
  readonly httpRefusals = this.counter('stagewatch_http_connections_refused_total', 'Connections beyond the limit.', [
    'door',
    'how',
  ]);
  readonly httpHangUps = this.counter(
    'stagewatch_http_hang_ups_total',
    'Requests whose caller went before the answer was whole.',
    ['door'],
  );
  readonly alertTries = this.counter('stagewatch_alert_delivery_tries_total', 'Tries to deliver an alert.', ['outcome']);
  readonly alertsLeftOut = this.counter(
    'stagewatch_alerts_left_out_total',
    'Findings that a receiver is never told of, since too many waited for it.',
  );

  counter<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }
  gauge<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }
  histogram<L extends string = never>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: readonly L[] = [],
  ): Histogram<L> {
    return new Histogram({ name, help, buckets, labelNames: [...labelNames], registers: [this.registry] });
  }
}
