/** `dcomp train join`: a model file that divides what is computed among models, which it names by their ids. */
import type { Argv } from 'yargs';
import { writeOutput } from '../formats/output.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { writeJoinedModelFile } from '../src/model/joined-file.js';
import { joinedNetwork } from '../src/model/joined-model.js';
import { loadModel } from '../src/models/read-node.js';
import { flag, outputFlags, textOption, type RawArgs } from './options.js';
import { note } from './report.js';
import { encoderOptions, forceOption, qualityOption, required, stringOption } from './train-options.js';

export function joinOptions(yargs: Argv): void {
  stringOption(yargs, 'fine', 'Model of level 0: a name or a model file (.dcm)');
  stringOption(yargs, 'coarse', 'Model of coarser levels  [default: as --fine]');
  stringOption(yargs, 'shown', 'Model of level 0 where the picture is shown  [default: as --fine]');
  encoderOptions(yargs);
  stringOption(yargs, 'output', 'Model file to write', 'o');
  forceOption(yargs);
}

export async function runJoin(args: RawArgs): Promise<void> {
  const { quiet } = outputFlags(args);
  const fine = required(args, 'fine');
  const output = required(args, 'output');
  const quality = qualityOption(args);
  const read = async (role: string): Promise<ReturnType<typeof readModelFile>> =>
    readModelFile(await loadModel(textOption(args, role) ?? fine));
  const byRole = { coarse: await read('coarse'), fine: await read('fine'), shown: await read('shown') };
  const joined = {
    networks: { coarse: byRole.coarse.id, fine: byRole.fine.id, shown: byRole.shown.id },
    ...(quality === undefined ? {} : { quality }),
    ...(typeof args.straight === 'boolean' ? { straight: args.straight } : {}),
  };
  joinedNetwork({ id: '', ...joined }, byRole);
  const size = await writeOutput(undefined, output, async () => writeJoinedModelFile(joined), {
    replace: flag(args, 'force'),
  });
  if (!quiet) note(`${output}: ${size} bytes`);
}
