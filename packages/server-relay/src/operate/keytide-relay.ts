const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > 24 || (major === 24 && minor >= 7)) {
  // Only now: on an older Node the imports themselves would fail.
  void import('./main.ts').then(({ main }) => main(process.argv.slice(2)));
} else {
  process.stderr.write(
    `keytide-relay: node-too-old: this is Node ${process.versions.node}; use 24.7 or newer\n`,
  );
  process.exitCode = 1;
}
