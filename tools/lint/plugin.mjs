// The table of who may use whom (docs/architecture.md), as a lint rule. Static, dynamic, type and re-exported imports count.
import { readFileSync } from 'node:fs';
import { dirname, posix, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const table = JSON.parse(readFileSync(new URL('rooms.json', import.meta.url), 'utf8'));
// The longest path first: the page lies inside the dashboard.
const rooms = Object.entries(table.rooms).sort(([, a], [, b]) => b.path.length - a.path.length);

const inside = (path, folder) => path === folder || path.startsWith(`${folder}/`);
const roomOf = (path) => rooms.find(([, room]) => inside(path, room.path))?.[0];
const isTest = (path) => /\.test\.ts$|(^|\/)testing\//.test(path);
const matchesPackage = (pattern, specifier) =>
  pattern.endsWith('/*')
    ? specifier.startsWith(pattern.slice(0, -1))
    : specifier === pattern || specifier.startsWith(`${pattern}/`);

/** The path inside the repository that a specifier means; undefined for a package. */
function target(specifier, from) {
  const alias = /^#([a-z-]+)\/(.*)$/.exec(specifier);
  if (alias) return table.rooms[alias[1]] ? `${table.rooms[alias[1]].path}/${alias[2]}` : undefined;
  if (specifier.startsWith('.')) return posix.normalize(posix.join(posix.dirname(from), specifier));
  return undefined;
}

/** Why `from` may not import `specifier`; undefined when it may. */
export function refusal(from, specifier) {
  const room = roomOf(from);
  if (room === undefined) return undefined;
  const path = target(specifier, from);
  if (path !== undefined) {
    const other = roomOf(path);
    if (other === room) return undefined;
    if (other === undefined) {
      return isTest(from) && inside(path, 'test')
        ? undefined
        : `the room '${room}' may not import '${path}', which lies outside all rooms`;
    }
    if (table.rooms[room].uses.includes(other)) return undefined;
    if (table.rooms[room].usesFiles?.some((folder) => inside(path, folder))) return undefined;
    return `the room '${room}' may not use '${other}' (tools/lint/rooms.json, docs/architecture.md)`;
  }
  for (const [pattern, owners] of Object.entries(table.packages)) {
    if (matchesPackage(pattern, specifier) && !owners.includes(room) && !isTest(from)) {
      return `only ${owners.map((o) => `'${o}'`).join(', ')} may touch '${specifier}'`;
    }
  }
  return undefined;
}

const roomsRule = {
  create(context) {
    const from = relative(root, context.filename ?? context.getFilename()).replaceAll('\\', '/');
    const check = (node) => {
      const specifier = node?.value ?? node?.literal?.value ?? node?.argument?.literal?.value;
      if (typeof specifier !== 'string') return;
      const message = refusal(from, specifier);
      if (message !== undefined) context.report({ node, message });
    };
    return {
      ImportDeclaration: (n) => check(n.source),
      ExportNamedDeclaration: (n) => n.source && check(n.source),
      ExportAllDeclaration: (n) => check(n.source),
      ImportExpression: (n) => check(n.source),
      TSImportType: (n) => check(n.source ?? n.argument),
      TSImportEqualsDeclaration: (n) => check(n.moduleReference?.expression),
      CallExpression: (n) => n.callee.name === 'require' && n.arguments[0] && check(n.arguments[0]),
    };
  },
};

/** The environment is read in one place. */
const environmentRule = {
  create(context) {
    const from = relative(root, context.filename ?? context.getFilename()).replaceAll('\\', '/');
    const room = roomOf(from);
    if (room === undefined || room === 'runtime' || isTest(from)) return {};
    return {
      MemberExpression(n) {
        if (n.object.name === 'process' && n.property.name === 'env') {
          context.report({ node: n, message: 'only libs/runtime/config.ts reads the environment' });
        }
      },
    };
  },
};

/** Whether an array is as short as it is written: literals, choices between them, and arguments handed on. */
function isShort(node) {
  switch (node.type) {
    case 'ArrayExpression':
      return node.elements.every((element) => element?.type !== 'SpreadElement' || isShort(element.argument));
    case 'ConditionalExpression':
      return isShort(node.consequent) && isShort(node.alternate);
    case 'LogicalExpression':
      return isShort(node.right);
    case 'TSAsExpression':
      return node.typeAnnotation.type === 'TSTupleType';
    case 'Identifier':
      return isRestParameter(node);
    default:
      return false;
  }
}

/** What came as arguments may go on as arguments. */
function isRestParameter({ name, parent }) {
  for (let at = parent; at; at = at.parent) if (at.params?.some?.((param) => hasRest(param, name))) return true;
  return false;
}

function hasRest(pattern, name) {
  if (pattern?.type === 'RestElement') return pattern.argument.name === name;
  return pattern?.type === 'ArrayPattern' && pattern.elements.some((element) => hasRest(element, name));
}

/** Arguments lie on the stack: an array of a hundred thousand elements, spread into a call, ends in a RangeError. */
const spreadRule = {
  create(context) {
    const from = relative(root, context.filename ?? context.getFilename()).replaceAll('\\', '/');
    if (isTest(from) || inside(from, 'test')) return {};
    const check = (node) => {
      for (const argument of node.arguments) {
        if (argument.type !== 'SpreadElement' || isShort(argument.argument)) continue;
        const message =
          'an array spread into a call ends in an error when it is long: loop, or use what takes arrays; ' +
          'where it is short for certain, say why (oxlint-disable-next-line stagewatch/spread -- reason)';
        context.report({ node: argument, message });
      }
    };
    return { CallExpression: check, NewExpression: check };
  },
};

/** `libs/runtime/stop-signal.ts` says why. */
const heldSignalsRule = {
  create(context) {
    return {
      MemberExpression(n) {
        if (n.object.name === 'AbortSignal' && ['any', 'timeout'].includes(n.property.name)) {
          context.report({ node: n, message: 'Node 20 forgets it after a garbage collection: use stopSignal of libs/runtime' });
        }
      },
    };
  },
};

const rules = { rooms: roomsRule, environment: environmentRule, spread: spreadRule, 'held-signals': heldSignalsRule };
export default { meta: { name: 'stagewatch' }, rules };
