export { blobStoreConformance } from './blob-store-conformance.ts';
export { destinationConformance, type DestinationUnderTest } from './destination-conformance.ts';
export { fakeClock, type FakeClock } from './fake-clock.ts';
export type { Attack, Forward, HostileAnswer, HostileCall, HostileLink, Instead } from './hostile/attack.ts';
export { holdTable, type HeldTable } from './hold-table.ts';
export { forgeGroupLog, type ForgedGroupLog } from './hostile/group-log.ts';
export { forgeMembershipLog, type RelayKey } from './hostile/membership-log.ts';
export { hostileRelay, type HostileRelay, type HostileRelayOptions } from './hostile/relay.ts';
export { keyWrapperConformance } from './key-wrapper-conformance.ts';
export { longLog, type LongLog, type LongLogOptions } from './long-log.ts';
export { startPostgres, type TestPostgres } from './postgres.ts';
export { postgresProcesses } from './postgres-processes.ts';
export { pushSenderConformance, type PushSenderUnderTest } from './push-sender-conformance.ts';
export {
  checkVapid,
  checkWebhook,
  startPushService,
  type PushReply,
  type PushRequestSeen,
  type PushService,
} from './push-service.ts';
export type { StoreCheck, StoreUnderTest } from './relay-store-check.ts';
export { relayStoreConformance } from './relay-store-conformance.ts';
export { seededDevice, type SeededDevice } from './seeded-device.ts';
export { seededRandom } from './seeded-random.ts';
export { seededWorld, type SeededMember, type SeededWorld, type WorldOptions } from './seeded-world.ts';
export { signLog, type SignedLog } from './signed-log.ts';
export { startTestAws, type TestAws, type TestAwsOptions } from './services/aws.ts';
export { startTestS3, type TestS3, type TestS3Options } from './services/s3.ts';
export type { KeyService, ServiceCall, ServiceFault } from './services/key-service.ts';
export type { AwsCaller } from './services/sigv4-check.ts';
export { startTestVault, type TestVault, type TestVaultOptions } from './services/vault.ts';
export { folderDatabase, memoryDatabase } from './test-database.ts';
export type { TestRunner } from './test-runner.ts';
