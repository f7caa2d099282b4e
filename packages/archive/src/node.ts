export { folderDestination } from './node/folder-destination.ts';
