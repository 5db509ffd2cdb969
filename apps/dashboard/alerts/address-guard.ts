import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

/** An address that a webhook may not go to, or a name that leads to one. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

export type Resolve = (host: string) => Promise<readonly ResolvedAddress[]>;

// Two lists: a list with both families compares IPv4 addresses with IPv4-mapped rules, too.
const forbidden4 = new BlockList();
const forbidden6 = new BlockList();
const public6 = new BlockList();

/** IANA's special-purpose registries: not globally reachable, or not a single host. */
const special4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
/** Within the global unicast block: protocol assignments with Teredo, documentation, 6to4. Outside of it nothing is allowed. */
const special6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

for (const range of special4) add(forbidden4, range, 'ipv4');
for (const range of special6) add(forbidden6, range, 'ipv6');
add(public6, '2000::/3', 'ipv6');

function add(list: BlockList, range: string, family: 'ipv4' | 'ipv6'): void {
  const [network, bits] = range.split('/');
  list.addSubnet(network!, Number(bits), family);
}

export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !forbidden4.check(address, 'ipv4');
    case 6:
      return public6.check(address, 'ipv6') && !forbidden6.check(address, 'ipv6');
    default:
      return false;
  }
}

/** The host of a URL as an address, when it is one: without the brackets of IPv6. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return isIP(bare) === 0 ? undefined : bare;
}

export const resolveSystem: Resolve = async (host) => {
  const found = await lookup(host, { all: true, verbatim: true });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
};

/**
 * The addresses that a connection to this host may use. All that the name has must be allowed, and the connection must
 * go to one of these very addresses: asked again, the name could say something else.
 */
export async function checkedAddresses(
  hostname: string,
  allowPrivate: boolean,
  resolve: Resolve = resolveSystem,
): Promise<readonly ResolvedAddress[]> {
  const literal = literalAddress(hostname);
  const addresses: readonly ResolvedAddress[] =
    literal === undefined ? await resolve(hostname) : [{ address: literal, family: isIP(literal) === 6 ? 6 : 4 }];
  if (addresses.length === 0) throw new Error(`${hostname} has no address`);
  const refused = allowPrivate ? undefined : addresses.find(({ address }) => !isPublicAddress(address));
  if (refused !== undefined) throw new AddressRefused(`${hostname} leads to ${refused.address}, which is not a public address`);
  return addresses;
}
