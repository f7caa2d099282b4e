import { stat } from 'node:fs/promises';

/** Whether there is a folder. @throws what the system says where there is nothing */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path)).isDirectory();
}
