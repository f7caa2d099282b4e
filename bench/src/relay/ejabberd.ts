import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestPostgres } from '@keytide/testkit';
import pg from 'pg';
import { freePort } from '../../../test/faults/relay-process.ts';
import { startServer } from './child.ts';
import type { Service } from './service.ts';

const HOST = 'localhost';
/** Where Debian puts it. */
const LIBRARIES = '/usr/lib/x86_64-linux-gnu';
const SCHEMA = '/usr/share/ejabberd/sql/pg.sql';

/**
 * ejabberd with MUC rooms whose archive (MAM) is in PostgreSQL. No shapers and no other modules: nothing slows it down
 * but its work. Who logs in is anonymous, so that no passwords are hashed.
 */
export async function startEjabberd(postgres: TestPostgres): Promise<Service> {
  const schema = await readFile(SCHEMA, 'utf8');
  const url = await postgres.createDatabase('ejabberd');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(schema).finally(() => client.end());
  const folder = await mkdtemp(join(tmpdir(), 'keytide-ejabberd-'));
  const port = await freePort();
  const config = join(folder, 'ejabberd.yml');
  await writeFile(config, configOf(port, new URL(url)));
  const flags = ['-noinput', '+K', 'true', '+P', '250000', '-env', 'ERL_CRASH_DUMP_BYTES', '0'];
  const env = {
    ...process.env,
    HOME: folder,
    ERL_LIBS: LIBRARIES,
    EJABBERD_CONFIG_PATH: config,
    EJABBERD_LOG_PATH: join(folder, 'ejabberd.log'),
  };
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  // Not by ejabberdctl: that would need a name on the network of this machine, and its user.
  const server = await startServer(
    'erl',
    [...flags, '-mnesia', 'dir', `"${join(folder, 'spool')}"`, '-s', 'ejabberd'],
    port,
    { env, cwd: folder },
  ).catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  return {
    name: 'ejabberd',
    pids: [server.pid],
    target: () => Promise.resolve({ kind: 'xmpp', port, host: HOST }),
    async stop() {
      await server.stop();
      await remove();
    },
  };
}

function configOf(port: number, database: URL): string {
  return `loglevel: error
hosts:
  - ${HOST}
auth_method: anonymous
anonymous_protocol: sasl_anon
allow_multiple_connections: true
max_fsm_queue: 1000000
default_db: sql
sql_type: pgsql
sql_server: "${database.hostname}"
sql_port: ${database.port}
sql_database: "${database.pathname.slice(1)}"
sql_username: "${database.username}"
sql_password: ""
listen:
  -
    port: ${port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 262144
modules:
  mod_mam:
    db_type: sql
    default: always
  mod_muc:
    db_type: mnesia
    max_users: 1000
    max_user_conferences: 1000
    default_room_options:
      mam: true
      persistent: true
      max_users: 1000
`;
}
