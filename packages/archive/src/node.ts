export { readPieces, writePieces } from './node/file-pieces.ts';
export { folderDestination } from './node/folder-destination.ts';
export { s3Destination, type ObjectLock, type S3DestinationOptions } from './node/s3/s3-destination.ts';
export type { S3Access, S3Clock, S3Limits } from './node/s3/service.ts';
export { openZip, writeZip, type ZippedArchive } from './node/zip-archive.ts';
export { zipDestination, type ZipDestination } from './node/zip-destination.ts';
