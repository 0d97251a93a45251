-- Books a reading of wallet $1: credits, then what begin_reading said, the person who gave it (null: the provider), time.
SELECT entry_number, unattributed_credits, is_newest
FROM record_reading($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::bigint, $6::bigint, $7::text, $8::timestamptz);
