/** Whose code held a thread: a profile of it that goes on all the time, asked about a stretch of time. */
import { Session, type Profiler } from 'node:inspector';

/** Microseconds between two samples of the profile. */
const INTERVAL = 2000;

const session = new Session();
session.connect();

/** Posts to the thread's own inspector, which answers at once. */
function post(method: string, parameters?: object): unknown {
  let answer: unknown;
  session.post(method, parameters, (error, result) => {
    if (error !== null) throw new Error(`${method}: ${error.message}`);
    answer = result;
  });
  return answer;
}

post('Profiler.enable');
post('Profiler.setSamplingInterval', { interval: INTERVAL });
post('Profiler.start');

/** Microseconds of the clock by which samples are taken. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** Of a stretch of time. */
export interface Whose {
  /** Share of the time in which the test's own code ran, or garbage was collected, which comes when it will; 0 to 1. */
  others: number;
  /** Function and line in which the rest was spent most. */
  where: string;
}

/**
 * Since a moment after the last time this was asked.
 * @param barrier name of the function through which a test calls what is watched: what runs inside of it is not the test's
 */
export function whoseSince(from: number, barrier: string): Whose {
  const { profile } = post('Profiler.stop') as { profile: Profiler.Profile };
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const isOthers = (id: number): boolean => {
    if (nodes.get(id)!.callFrame.functionName === '(garbage collector)') return true;
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const { functionName, url } = nodes.get(at)!.callFrame;
      if (functionName === barrier) return false;
      if (/\/dist\/(test\/(?!helpers\/(gaps|whose-time))|corpus\/)/.test(url)) return true;
    }
    return false;
  };
  const places = new Map<string, number>();
  let [others, all, time] = [0, 0, profile.startTime];
  for (const [i, id] of (profile.samples ?? []).entries()) {
    time += profile.timeDeltas![i]!;
    if (time < from) continue;
    all++;
    if (isOthers(id)) others++;
    else {
      const { functionName, url, lineNumber } = nodes.get(id)!.callFrame;
      const place = `${functionName} ${url.split('/').pop()}:${lineNumber + 1}`;
      places.set(place, (places.get(place) ?? 0) + 1);
    }
  }
  post('Profiler.start');
  const [where = 'nowhere'] = [...places].sort(([, a], [, b]) => b - a).map(([place]) => place);
  return { others: all === 0 ? 0 : others / all, where };
}
