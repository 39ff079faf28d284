/** How `<dcz-image>` is laid out: as an `<img>`, by what rules of the page can say otherwise about. */

/** What all of them have. The picture fills the box and has no say in how large that is. */
export const STYLE = `
:host {
  display: inline-block;
  position: relative;
  overflow: clip;
  min-width: 0;
  min-height: 0;
  line-height: normal;
}
:host([hidden]) { display: none; }
canvas {
  position: absolute;
  inset: 0;
  width: 100%;
  height: 100%;
  object-fit: inherit;
  object-position: inherit;
  image-rendering: inherit;
}
[hidden] { display: none !important; }
.sizer { display: block; height: 0; }
.probe { position: absolute; visibility: hidden; height: 0; }
`;

export interface Sides {
  /** Of the attributes, in pixels of CSS. */
  width: number | undefined;
  height: number | undefined;
  /** Of the picture, as soon as it is known. */
  natural: { width: number; height: number } | undefined;
}

/**
 * The rules of one of them. Both attributes hold its place before anything has come, as `width` and `height` of an `<img>`
 * do: where the page says `height: auto`, they stand for the ratio.
 */
export function layoutOf({ width, height, natural }: Sides): string {
  const rules: string[] = [];
  const ratio = natural ?? (width !== undefined && height !== undefined ? { width, height } : undefined);
  if (ratio !== undefined && ratio.width > 0 && ratio.height > 0)
    rules.push(`aspect-ratio: ${ratio.width} / ${ratio.height};`);
  if (width !== undefined) rules.push(`width: ${width}px;`);
  if (height !== undefined) rules.push(`height: ${height}px;`);
  // What it is as wide as if nobody says how wide.
  const own = natural === undefined || width !== undefined ? 0 : natural.width;
  return `:host { ${rules.join(' ')} } .sizer { width: ${own}px; }`;
}
