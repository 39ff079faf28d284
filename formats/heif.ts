/**
 * What the boxes of an AVIF or HEIC say of its main picture (ISO/IEC 14496-12 and 23008-12): libvips passes on neither the
 * code points of its colour space, nor that it is grey, nor that its colours are multiplied by alpha.
 */

export interface HeifFacts {
  /** Samples of luma alone. */
  monochrome: boolean;
  /** Are the colours multiplied by alpha? */
  premultiplied: boolean;
  /** Code points of H.273, of the box `colr` of type `nclx`. */
  nclx: { primaries: number; transfer: number; matrix: number; fullRange: boolean } | undefined;
  /** Says it how bright its light is (`clli`, `mdcv`)? */
  light: boolean;
  /** Does its turning exchange rows and columns? */
  onSide: boolean;
}

interface Box {
  type: string;
  /** Content. */
  from: number;
  to: number;
}

/** Most boxes and items that are looked at. */
const MOST = 4096;

/** A coded picture of a file, as its container has it. */
export interface CodedItem {
  data: Uint8Array;
  /** Its properties, whole boxes, by type. */
  properties: Map<string, Uint8Array>;
}

/** The main picture and its alpha; undefined where they are no such pictures. */
export function codedItems(bytes: Uint8Array): { colour: CodedItem; alpha: CodedItem | undefined } | undefined {
  try {
    return new HeifReader(bytes).items();
  } catch (error) {
    if (error instanceof RangeError) return undefined; // a box ends too early
    throw error;
  }
}

/** undefined where the bytes have no such boxes. */
export function heifFacts(bytes: Uint8Array): HeifFacts | undefined {
  try {
    return new HeifReader(bytes).facts();
  } catch (error) {
    if (error instanceof RangeError) return undefined; // a box ends too early
    throw error;
  }
}

class HeifReader {
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** The boxes that everything hangs on. */
  private main(): { primary: number; iprp: Box; box: (name: string) => Box | undefined } | undefined {
    const meta = this.boxes(0, this.bytes.length).find(({ type }) => type === 'meta');
    if (meta === undefined) return undefined;
    const inside = this.boxes(meta.from + 4, meta.to); // behind version and flags
    const box = (name: string): Box | undefined => inside.find(({ type }) => type === name);
    const pitm = box('pitm');
    const iprp = box('iprp');
    if (pitm === undefined || iprp === undefined) return undefined;
    const primary =
      this.view.getUint8(pitm.from) === 0 ? this.view.getUint16(pitm.from + 4) : this.view.getUint32(pitm.from + 4);
    return { primary, iprp, box };
  }

  facts(): HeifFacts | undefined {
    const main = this.main();
    if (main === undefined) return undefined;
    const { primary, iprp, box } = main;
    const references = this.references(box('iref'));
    const of = (type: string, from: number): number[] =>
      references.filter((each) => each.type === type && each.from === from).flatMap(({ to }) => to);
    const properties = this.properties(iprp);
    // A picture that is put together of tiles has its properties itself, or its tiles have them.
    const own = [primary, ...of('dimg', primary).slice(0, 1)].flatMap((item) => properties.get(item) ?? []);
    const nclx = own.find(({ type, from }) => type === 'colr' && this.name(from) === 'nclx');
    const av1 = own.find(({ type }) => type === 'av1C');
    const turn = own.find(({ type }) => type === 'irot');
    return {
      monochrome: av1 !== undefined && (this.view.getUint8(av1.from + 2) & 0x10) !== 0,
      premultiplied: of('prem', primary).length > 0,
      nclx: nclx === undefined ? undefined : this.codePoints(nclx.from + 4),
      light: own.some(({ type }) => type === 'clli' || type === 'mdcv'),
      onSide: turn !== undefined && (this.view.getUint8(turn.from) & 1) === 1,
    };
  }

  items(): { colour: CodedItem; alpha: CodedItem | undefined } | undefined {
    const main = this.main();
    const iloc = main?.box('iloc');
    if (main === undefined || iloc === undefined) return undefined;
    const { primary, iprp, box } = main;
    const alpha = this.references(box('iref')).find(({ type, to }) => type === 'auxl' && to.includes(primary))?.from;
    const properties = this.properties(iprp);
    const places = this.places(iloc);
    const item = (id: number): CodedItem | undefined => {
      const data = places.get(id);
      return data === undefined
        ? undefined
        : {
            data,
            properties: new Map(
              (properties.get(id) ?? []).map(({ type, from, to }) => [type, this.bytes.subarray(from - 8, to)]),
            ),
          };
    };
    const colour = item(primary);
    return colour === undefined ? undefined : { colour, alpha: alpha === undefined ? undefined : item(alpha) };
  }

  /** The bytes of items that lie in the file in one piece (`iloc`). */
  private places(iloc: Box): Map<number, Uint8Array> {
    const { view } = this;
    const version = view.getUint8(iloc.from);
    const sizes = view.getUint16(iloc.from + 4);
    const [offsetSize, lengthSize, baseSize] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
    const indexSize = version === 0 ? 0 : sizes & 15;
    let at = iloc.from + 6;
    const number = (size: number): number => {
      at += size;
      return size === 0
        ? 0
        : size === 2
          ? view.getUint16(at - 2)
          : size === 4
            ? view.getUint32(at - 4)
            : Number(view.getBigUint64(at - 8));
    };
    const found = new Map<number, Uint8Array>();
    for (let count = number(version < 2 ? 2 : 4); count > 0; count--) {
      const id = number(version < 2 ? 2 : 4);
      const method = version === 0 ? 0 : number(2) & 15;
      number(2); // in this file
      const base = number(baseSize);
      const extents = number(2);
      for (let i = 0; i < extents; i++) {
        number(indexSize);
        const offset = base + number(offsetSize);
        const length = number(lengthSize);
        if (extents === 1 && method === 0) found.set(id, this.bytes.subarray(offset, offset + length));
      }
    }
    return found;
  }

  private codePoints(at: number): HeifFacts['nclx'] {
    return {
      primaries: this.view.getUint16(at),
      transfer: this.view.getUint16(at + 2),
      matrix: this.view.getUint16(at + 4),
      fullRange: (this.view.getUint8(at + 6) & 0x80) !== 0,
    };
  }

  private name(at: number): string {
    return String.fromCharCode(...this.bytes.subarray(at, at + 4));
  }

  private boxes(from: number, to: number): Box[] {
    const found: Box[] = [];
    for (let at = from; at + 8 <= to && found.length < MOST;) {
      let size = this.view.getUint32(at);
      let header = 8;
      if (size === 1) {
        size = Number(this.view.getBigUint64(at + 8));
        header = 16;
      } else if (size === 0) size = to - at;
      if (size < header) break;
      found.push({ type: this.name(at + 4), from: at + header, to: Math.min(to, at + size) });
      at += size;
    }
    return found;
  }

  private references(iref: Box | undefined): { type: string; from: number; to: number[] }[] {
    if (iref === undefined) return [];
    const wide = this.view.getUint8(iref.from) !== 0;
    const id = (at: number): number => (wide ? this.view.getUint32(at) : this.view.getUint16(at));
    const size = wide ? 4 : 2;
    return this.boxes(iref.from + 4, iref.to).map(({ type, from, to }) => {
      // No more than there is room for in the box: many boxes that read on behind their ends would take long.
      const room = Math.max(0, Math.floor((to - from - size - 2) / size));
      const count = Math.min(MOST, room, this.view.getUint16(from + size));
      return { type, from: id(from), to: Array.from({ length: count }, (_, i) => id(from + size + 2 + i * size)) };
    });
  }

  /** Properties by item: those of `ipco`, as `ipma` puts them to items. */
  private properties(iprp: Box): Map<number, Box[]> {
    const inside = this.boxes(iprp.from, iprp.to);
    const ipco = inside.find(({ type }) => type === 'ipco');
    const all = ipco === undefined ? [] : this.boxes(ipco.from, ipco.to);
    const found = new Map<number, Box[]>();
    for (const { from, to } of inside.filter(({ type }) => type === 'ipma')) {
      const wide = this.view.getUint8(from) !== 0;
      const large = (this.view.getUint8(from + 3) & 1) !== 0;
      let at = from + 8;
      for (let items = Math.min(MOST, this.view.getUint32(from + 4)); items > 0 && at < to; items--) {
        const item = wide ? this.view.getUint32(at) : this.view.getUint16(at);
        at += wide ? 4 : 2;
        const boxes = found.get(item) ?? [];
        for (let count = this.view.getUint8(at++); count > 0 && at < to; count--) {
          const index = large ? this.view.getUint16(at) & 0x7fff : this.view.getUint8(at) & 0x7f;
          at += large ? 2 : 1;
          if (index > 0 && index <= all.length) boxes.push(all[index - 1]);
        }
        found.set(item, boxes);
      }
    }
    return found;
  }
}
