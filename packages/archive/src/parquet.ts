export { parquetStates, parquetTable } from './formats/table/parquet.ts';
