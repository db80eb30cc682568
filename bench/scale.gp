# The picture of bench/scale.cpp: a panel for each thing that grows, against the number of codes. Variables: points, picture.
set terminal pngcairo noenhanced size 1500,820 font 'sans,10'
set output picture
set datafile separator '\t'
set logscale x
set format x '10^%T'
set grid
set key top left
set xlabel 'codes'
set style data linespoints
set multiplot layout 2,3
set title 'ten nearest, us'
set logscale y
plot points using 1:5 title 'nearest, default settings', '' using 1:6 title 'nphd.exact'
set title 'peak of the backend that builds, MB'
plot points using 1:7 notitle
set title 'VACUUM of a tenth, s'
plot points using 1:9 notitle
unset logscale y
set yrange [0:*]
set title 'CREATE INDEX, CPU us a code'
plot points using 1:2 notitle
set title 'bytes a code'
plot points using 1:3 title 'index', '' using 1:4 title 'WAL of the build'
set title 'inserts a second'
plot points using 1:8 notitle
unset multiplot
