-- What wallet $1's books say just before its balance is asked for: a reading has seen all of this.
SELECT last_entry_number, taken_credits, returned_credits, held_credits - waiting_credits AS running_credits
FROM wallet_balance WHERE wallet_id = $1::bigint;
