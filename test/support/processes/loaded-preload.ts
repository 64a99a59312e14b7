// Loaded into the service by Node's --import: when it ends, prints which of Node's own modules were loaded, as a line of JSON.
process.once('exit', () => {
  const { moduleLoadList } = process as unknown as { readonly moduleLoadList: readonly string[] };
  process.stderr.write(`${JSON.stringify(moduleLoadList)}\n`);
});
