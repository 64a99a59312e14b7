/** True if a Patroni of this version is as new as that. An unknown version is older than all. */
export function isAtLeast(
  version: string | undefined,
  [major, minor, patch]: readonly [number, number, number],
): boolean {
  const [, ...parts] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(version ?? '') ?? [];
  const [isMajor = 0, isMinor = 0, isPatch = 0] = parts.map((part: string | undefined) => Number(part ?? 0)); // `3.2`
  return isMajor !== major ? isMajor > major : isMinor !== minor ? isMinor > minor : isPatch >= patch;
}
