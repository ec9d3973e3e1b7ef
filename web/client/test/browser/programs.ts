/** The programs that tests start. */

import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";

/** Where a browser is, which the environment may say. Throws with what installs it. */
export function browserAt(variable: string, usual: string, debian: string): string {
  const path = process.env[variable] ?? usual;
  if (!existsSync(path)) throw new Error(`no browser at ${path}: apt-get install ${debian}`);
  return path;
}

/** Ends a program with this one at the latest, however this one ends. */
export function withUs<Child extends ChildProcess>(child: Child): Child {
  process.once("exit", () => child.kill("SIGKILL"));
  return child;
}
