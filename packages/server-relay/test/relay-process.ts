import { startRelay } from '@keytide/server-relay';

// A relay as a process of its own, so that a test can kill it: node relay-process.ts FOLDER
const [folder = ''] = process.argv.slice(2);
try {
  await startRelay({ database: { kind: 'pglite', folder }, port: 0 });
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  console.log(JSON.stringify({ event: 'start-failed', code, message }));
  process.exitCode = 1;
}
