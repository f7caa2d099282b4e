/** What an operator does about a relay that does not start, by code. */
export const REMEDIES: Readonly<Record<string, string>> = {
  'address-in-use': 'Stop what uses it, or set another port (port, managementPort).',
  'data-folder-locked': 'Stop the relay that uses the folder, or set another dataFolder.',
  'database-in-use': 'Stop the other relay, or set another databaseUrl.',
  'database-failed':
    'Check that PostgreSQL runs and that databaseUrl is right; `keytide-relay doctor` looks closer.',
  'database-newer': 'Install the version that made the database, or a newer one.',
  'migration-changed': 'Install the version that made the database, or start with an empty one.',
  'relay-key-missing': 'Put the key file back from a backup: with another key, clients refuse this relay.',
  'relay-key-unusable':
    'The key file has 32 bytes, for its owner alone (chmod 600), in a folder that exists (keyFile).',
  'data-key-missing':
    'Put the data key file back from a backup: without it, what organisations keep here cannot be read.',
  'data-key-unusable': 'The data key file has 32 bytes, for its owner alone (chmod 600).',
  'tls-unusable':
    'Check tlsCertificateFile and tlsKeyFile: PEM, of one pair, the key for its owner alone (chmod 600).',
};
