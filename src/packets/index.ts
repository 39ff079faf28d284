/** `dcomp/packets`: files as messages of a few bytes, of which any so many give the file. */
export { LINKS, type Link, type LinkName } from './links.js';
export {
  joinPackets,
  makePackets,
  planPackets,
  type Joined,
  type PacketOptions,
  type PacketPlan,
  type Preview,
} from './packets.js';
