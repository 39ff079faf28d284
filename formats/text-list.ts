/** Texts of a file as they are found, up to what a coded file may hold. */
import { isKeyword, MAX_METADATA_BYTES, type Text } from '../src/picture.js';
import type { Faults } from './faults.js';

/** Texts take so many bytes at least in a coded file. */
const BYTES_BESIDE = 16;

export class TextList {
  readonly list: Text[] = [];
  private bytes = 0;

  constructor(private readonly faults: Faults) {}

  add(entry: Text | undefined): void {
    if (entry === undefined || !isKeyword(entry.keyword) || entry.text.includes('\0')) {
      this.faults.notice('a text in the file is damaged and not kept');
      return;
    }
    const { keyword, text, language = '', translatedKeyword = '' } = entry;
    this.bytes += 4 * (keyword.length + text.length + language.length + translatedKeyword.length) + BYTES_BESIDE;
    if (this.bytes <= MAX_METADATA_BYTES) this.list.push(entry);
    else this.faults.notice('the file has more text than can be kept');
  }
}
