export { folderDestination } from './node/folder-destination.ts';
export { openZip, writeZip, type ZippedArchive } from './node/zip-archive.ts';
