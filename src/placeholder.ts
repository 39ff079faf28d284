/** Messages as text: placeholders that stand in a page until its pictures are there. */
import { DcompError } from './errors.js';
import { bytesOf, shown } from './options.js';

/**
 * A message as text of letters, digits, `-` and `_` (base64url of RFC 4648, without padding): 4 characters for 3 bytes.
 * @throws DcompError E_USAGE for what are no bytes
 */
export function placeholderText(message: Uint8Array): string {
  let binary = '';
  for (const byte of bytesOf(message, 'the message')) binary += String.fromCharCode(byte);
  const text = btoa(binary);
  return text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** The message of a text, for `decodeMessage`. @throws DcompError E_USAGE where it is none */
export function placeholderBytes(text: string): Uint8Array {
  if (typeof text !== 'string' || !/^[\w-]+$/.test(text) || text.length % 4 === 1)
    throw new DcompError(
      'E_USAGE',
      `the placeholder is ${shown(text)}; it must be base64url, as dcomp placeholder prints`,
    );
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
