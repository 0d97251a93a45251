-- Makes the partitions of this month and the next two where they are missing; answers with how many it made.
SELECT make_partitions() AS made;
