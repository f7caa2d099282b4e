/** What an operator does about a relay that does not start, by code. */
export const REMEDIES: Readonly<Record<string, string>> = {
  'address-in-use': 'Stop what uses it, or set another port (port, managementPort).',
  'data-folder-locked': 'Stop the relay that uses the folder, or set another dataFolder.',
  'database-in-use':
    'Stop the other relay, or set another databaseUrl; several that are to serve it together all have nodes above 1.',
  'database-failed':
    'Check that PostgreSQL runs and that databaseUrl is right; `keytide-relay doctor` looks closer.',
  'database-newer': 'Install the version that made the database, or a newer one.',
  'migration-changed': 'Install the version that made the database, or start with an empty one.',
  'backup-missing': 'Check the folder (--from), and the name of the backup (--generation).',
  'backup-damaged': 'Take another backup of the folder (--generation), or another copy of the folder.',
  'backup-other-relay': 'Give each relay a folder of its own for its backups (--to).',
  'backup-running': 'Wait until the other backup of this database is made.',
  'backup-version':
    'Restore into an empty database: the next start brings it up to date. Or install the version that made the backup.',
  'restore-not-empty': 'Restore into an empty database, or say --replace: what is there is then gone.',
  'relay-key-differs':
    'Give every node of the database the same keyFile: that of the first one, and what it wraps with.',
  'relay-key-missing': 'Put the key file back from a backup: with another key, clients refuse this relay.',
  'relay-key-unusable':
    'The key file has 32 bytes, for its owner alone (chmod 600), in a folder that exists (keyFile).',
  'data-key-missing':
    'Put the data key file back from a backup, or name the former key in wrappingKeys: without it, what organisations keep here cannot be read.',
  'data-key-unusable':
    'A data key file has 32 bytes, for its owner alone (chmod 600); Vault has to be 1.13 or newer.',
  'key-service-failed':
    'Look at KMS or Vault and the way to it (awsKmsEndpoint, vaultAddress); nothing was lost.',
  'key-service-refused':
    'See the reason: permissions, the state of the key, the token (vaultTokenFile), or the clock.',
  'bad-reference':
    'Check wrappingKeys, awsKmsEndpoint, vaultAddress and the reference that the message names: one is not written as it has to be.',
  'secret-missing':
    'Credentials of AWS (AWS_…), the file of vaultTokenFile, or the secret that the message names, are not there.',
  'secret-unusable':
    'Credentials of AWS (AWS_…), the token in vaultTokenFile, or the secret that the message names, are not what they have to be.',
  'tls-unusable':
    'Check tlsCertificateFile and tlsKeyFile: PEM, of one pair, the key for its owner alone (chmod 600).',
};
