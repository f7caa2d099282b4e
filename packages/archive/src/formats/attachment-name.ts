/**
 * Kinds of files that a browser shows, or a program opens, without running anything in them. Any other is `bin`: a page
 * or a picture with a script in it would run beside the pages here, and a name without an ending is looked into.
 */
const ENDINGS: ReadonlySet<string> = new Set(
  (
    'jpg jpeg png gif webp avif heic bmp tif tiff mp4 m4v webm mov mp3 m4a aac ogg oga ogv opus wav flac ' +
    'pdf txt csv json docx xlsx pptx odt ods odp zip gpx geojson'
  ).split(' '),
);

/** The file of an attachment beside the pages: of what its sender calls it, only the ending counts. */
export function attachmentName(blob: string, called: string): string {
  const ending = /\.([A-Za-z0-9]{1,8})$/.exec(called)?.[1]?.toLowerCase() ?? '';
  return `attachments/${blob}.${ENDINGS.has(ending) ? ending : 'bin'}`;
}
