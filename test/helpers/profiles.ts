/** A colour profile as far as dcomp looks into it: the header, and a table of no tags. */
export function emptyProfile(space: 'RGB ' | 'GRAY' | 'CMYK'): Uint8Array {
  const out = Buffer.alloc(132);
  out.writeUInt32BE(out.length, 0);
  out.write(`mntr${space}XYZ `, 12, 'latin1');
  out.write('acsp', 36, 'latin1');
  return Uint8Array.from(out);
}
