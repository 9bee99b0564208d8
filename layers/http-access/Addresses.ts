/**
 * Which addresses and names are public. Everything that is set apart for another use is not: loopback, private networks,
 * link-local (where clouds tell their secrets), shared address space, multicast, documentation, and the IPv6 ranges that
 * carry an IPv4 address inside.
 */
import { BlockList, isIP } from "node:net"

const v4: ReadonlyArray<readonly [string, number]> = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.31.196.0", 24],
  ["192.52.193.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["192.175.48.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
  // Not set apart, but where two clouds answer to their own machines alone.
  ["168.63.129.16", 32]
]
// Of IPv6 only 2000::/3 is in use for hosts; of that these are not hosts, or lead to an IPv4 address.
const v6: ReadonlyArray<readonly [string, number]> = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20]
]

const apart = new BlockList()
for (const [address, bits] of v4) apart.addSubnet(address, bits, "ipv4")
for (const [address, bits] of v6) apart.addSubnet(address, bits, "ipv6")
const hosts = new BlockList()
hosts.addSubnet("2000::", 3, "ipv6")

/** Whether an address is one of a public host. */
export const isPublicAddress = (address: string): boolean => {
  // A zone leads to an interface of this machine.
  if (address.includes("%")) return false
  switch (isIP(address)) {
    case 4:
      return !apart.check(address, "ipv4")
    case 6:
      return hosts.check(address, "ipv6") && !apart.check(address, "ipv6")
    default:
      return false
  }
}

const localNames =
  /(^|\.)(localhost|localdomain|local|internal|intranet|private|corp|home|lan|test|invalid|onion|arpa)$/

/** Whether a name can be one of a public host: it has a dot, and does not end like those that are used at home. */
export const isPublicName = (host: string): boolean => host.includes(".") && !localNames.test(host)
