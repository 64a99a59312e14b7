/**
 * The page of the documentation that people need at night, as patroniglue itself serves it at `/-/runbook`: a text, in which a
 * link is its words, and behind them its address if it leads to another host.
 */
export function runbookText(markdown: string): string {
  return markdown.replace(/\[([^\]]+)\]\(([^)\s]+)\)/g, (_, words: string, target: string) =>
    /^https?:/.test(target) ? `${words} (${target})` : words,
  );
}
