/**
 * What is made when it is first asked for: tables that some files alone need would else take tens of milliseconds of every
 * program's start.
 */
export function onDemand<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
