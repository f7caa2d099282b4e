import { seededRandom } from '@keytide/testkit';

const KINDS = [
  ['EMS', ['FALL VICTIM', 'CARDIAC EMERGENCY', 'RESPIRATORY EMERGENCY', 'ABDOMINAL PAINS']],
  ['Traffic', ['VEHICLE ACCIDENT -', 'DISABLED VEHICLE -']],
  ['Fire', ['FIRE ALARM', 'UNKNOWN TYPE FIRE']],
] as const;
const TOWNSHIPS = ['LOWER MERION', 'ABINGTON', 'NORRISTOWN', 'POTTSTOWN', 'AMBLER', 'NARBERTH', 'GREEN LANE'];
const STREETS = ['DEKALB PIKE', 'MAIN ST', 'RT309 EXPY', '5TH AVE; STATION', 'OAK LN'];

/**
 * A list of emergency calls as a county publishes it, the same for each seed: five weeks, several in a minute, most of
 * them in few places, cells with `&` and `;`, and calls that are alike in everything.
 */
export function callList(seed: string, count: number): string {
  const random = seededRandom(seed);
  /** A number below `limit`, the small ones more often. */
  const skewed = (limit: number): number => {
    const [a = 0, b = 0] = random(2);
    return Math.floor(((a * b) / 65_536) * limit);
  };
  const lines = ['lat,lng,title,reportedAt,township,address'];
  let ms = Date.UTC(2016, 0, 15, 12, 1);
  while (lines.length <= count) {
    ms += (random(1)[0] as number) % 3 === 0 ? 0 : skewed(12) * 3_600_000 + 60_000;
    const [kind, titles] = KINDS[skewed(KINDS.length)] as (typeof KINDS)[number];
    const township = TOWNSHIPS[skewed(TOWNSHIPS.length)];
    const address = `${STREETS[skewed(STREETS.length)]} & ${STREETS[skewed(STREETS.length)]}`;
    const place = `40.${1000 + skewed(900)},-75.${3000 + skewed(900)}`;
    const title = `${kind}: ${titles[skewed(titles.length)]}`;
    const line = `${place},${title},${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')},${township},${address}`;
    lines.push(line);
    if (lines.length % 40 === 0 && lines.length <= count) lines.push(line);
  }
  return `${lines.join('\r\n')}\r\n`;
}
