/** Texts of TIFF by tag, with the keywords that PNG has for them. */
export const TIFF_TEXTS: readonly (readonly [tag: number, keyword: string])[] = [
  [270, 'Description'],
  [271, 'Make'],
  [272, 'Model'],
  [305, 'Software'],
  [306, 'Creation Time'],
  [315, 'Author'],
  [33432, 'Copyright'],
];
