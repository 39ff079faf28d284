/** Names of outputs by a pattern: `out/{name}-{quality}.dcz`. */
import { DcompError } from '../../src/errors.js';

/** The pattern has fields, or braces that stand for themselves. */
export function isTemplate(text: string): boolean {
  return /[{}]/.test(text);
}

/**
 * Puts values in the place of `{field}`s; `{{` and `}}` are braces.
 * @param fields undefined for those that there are but have no value now
 * @throws DcompError E_USAGE for a field that there is not, or a brace alone
 */
export function fillTemplate(template: string, fields: Readonly<Record<string, string | undefined>>): string {
  return template.replace(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g, (found, field: string | undefined) => {
    if (found === '{{' || found === '}}') return found[0]!;
    if (field === undefined)
      throw new DcompError('E_USAGE', `--output has a brace alone; write {{ or }} for one that belongs to the name`);
    const known = Object.hasOwn(fields, field);
    const value = known ? fields[field] : undefined;
    if (value !== undefined) return value;
    const names = Object.keys(fields).map((name) => `{${name}}`);
    if (known) throw new DcompError('E_USAGE', `--output has {${field}}, but --${field} is not given`);
    throw new DcompError('E_USAGE', `--output has {${field}}; there are ${names.join(', ')}`);
  });
}
