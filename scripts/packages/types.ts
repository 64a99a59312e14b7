/** A file of a package. */
export interface Entry {
  /** From the root of the file system, without the first slash. */
  readonly path: string;
  readonly content: Uint8Array | string;
  /** 0o644 if absent. */
  readonly mode?: number;
}

/** Which program a package has: the bundle for the system's Node, or an executable with Node inside. */
export type Flavour = 'all' | 'amd64' | 'arm64';

/** What all packages of one run have in common. */
export interface Release {
  readonly version: string;
  /** Time of the last commit, in seconds: the time of every file, so that the same commit gives the same bytes. */
  readonly epoch: number;
  /** Where the packages go. */
  readonly dir: string;
}
