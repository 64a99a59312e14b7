// Loaded into the service by Node's --import: a bug that nobody has caught, when told to.
process.on('SIGWINCH', () => {
  throw new Error('a bug for a test');
});
