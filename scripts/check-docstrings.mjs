/** Fails if anything that the package exports, by any of its entries, has no docstring. */
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const entries = [...JSON.stringify(exports).matchAll(/"\.\/dist\/([^"]+)\.d\.ts"/g)].map(([, path]) =>
  join(root, `${path}.ts`),
);
const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
const { options } = ts.parseJsonConfigFileContent({ ...config, files: [], include: [] }, ts.sys, root);
const program = ts.createProgram([...new Set(entries)], { ...options, noEmit: true });
const checker = program.getTypeChecker();

const missing = new Set();
let count = 0;
for (const entry of new Set(entries)) {
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry));
  for (const exported of checker.getExportsOfModule(module)) {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    count++;
    if (symbol.getDocumentationComment(checker).length > 0) continue;
    const node = symbol.declarations[0];
    const file = node.getSourceFile();
    const { line } = file.getLineAndCharacterOfPosition(node.getStart());
    missing.add(
      `${relative(root, file.fileName)}:${line + 1}: ${symbol.name} is exported by the package and has no docstring`,
    );
  }
}
for (const line of missing) console.error(line);
if (missing.size > 0) process.exit(1);
if (process.argv.includes('--count')) console.log(`${count} exports, all with a docstring`);
