-- R14: two overlapping leases of one shard prove equivocation, so the database itself refuses the second one.
-- A lease with an empty range (released at its very start) overlaps nothing.
CREATE EXTENSION IF NOT EXISTS btree_gist;
--> statement-breakpoint
ALTER TABLE "leases" ADD CONSTRAINT "leases_one_at_a_time"
  EXCLUDE USING gist ("job_id" WITH =, "shard" WITH =, int8range("start_at", "end_at") WITH &&);
