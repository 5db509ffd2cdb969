import type { DoorQuery } from './request.js';

const hello = 'SELECT displayName(), version(), revision(), timezone()';

/** The first question of clickhouse-go, whose answer it always decodes at revision 54460, whatever the server says. */
export function isHello(query: DoorQuery): boolean {
  return query.format === 'Native' && query.sql.trim() === hello;
}

/**
 * One row in the Native format of revision 54460: block information, then columns with a byte that says that there is no
 * custom serialization. The engine writes Native at revision 0, so that is the revision reported: from here on the
 * client decodes what the engine writes.
 */
export function helloAnswer(version: string): Buffer {
  const blockInfo = Buffer.from([1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0]);
  const columns = [
    column('displayName()', 'String', text('stagewatch')),
    column('version()', 'String', text(version)),
    column('revision()', 'UInt32', Buffer.alloc(4)),
    column('timezone()', 'String', text('UTC')),
  ];
  return Buffer.concat([blockInfo, varint(columns.length), varint(1), ...columns]);
}

function column(name: string, type: string, data: Buffer): Buffer {
  return Buffer.concat([text(name), text(type), Buffer.from([0]), data]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}
