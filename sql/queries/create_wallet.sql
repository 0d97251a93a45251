-- Makes a wallet: slug, time zone, name of the environment variable with its API key, time.
SELECT create_wallet($1::text, $2::text, $3::text, $4::timestamptz) AS wallet_id;
